/** The serial cable of the demo serves the tests, too. */
export { openPtyPair, type PtyPair, ptyProgram } from '../../gateway/demo/pty-pair.ts';
