/** What every page of the dashboard is to the frame around it. */
import type { Wish } from '../api-types.ts';
import type { Listener } from './store.ts';

export interface Page {
  readonly title: string;
  readonly element: HTMLElement;
  /** What it wants to hear; without `structure` it is made anew when devices come or go, or become others. */
  readonly listener: Listener;
  /** Then only if this says so. */
  isOutdated?(): boolean;
  readonly wish: Wish;
  close?(): void;
}
