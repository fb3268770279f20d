/** The profile that a command line names; what is wrong with it is said. */
import { formatProfileProblem, type Profile, printable } from '../../protocol/index.ts';
import { findProfile, shippedNames } from '../profiles/load.ts';
import { printError } from './terminal.ts';

const SHOWN_PROBLEMS = 10;

/** By the name of a shipped one, or the path of a file; undefined after telling what is wrong. */
export function loadedProfile(wanted: string): Profile | undefined {
  const found = findProfile(wanted, process.cwd());
  if (found.ok) return found.profile;
  if (found.code !== 'invalid') {
    printError(`error: --profile ${printable(wanted)}: ${found.message}`);
    return undefined;
  }
  for (const problem of found.problems.slice(0, SHOWN_PROBLEMS)) printError(formatProfileProblem(problem));
  if (found.problems.length > SHOWN_PROBLEMS) printError(`… ${found.problems.length - SHOWN_PROBLEMS} more`);
  return undefined;
}

/** All shipped profiles. */
export function shippedProfiles(): Profile[] {
  return shippedNames().flatMap((name) => {
    const found = findProfile(name, process.cwd());
    return found.ok ? [found.profile] : [];
  });
}
