/** Publishes dead letters once more. */
import type { MqttConnection } from './connection.ts';
import type { DeadLetter } from './dead-letters.ts';
import { type EncodedTopic, encodeTopic, REASON_REFUSED } from './outbox.ts';

export interface Retried {
  /** Ids of the letters of which the broker has taken all messages. */
  readonly accepted: string[];
  /** Letters refused again, by reason code. */
  readonly refused: Record<string, number>;
  /** Letters without a whole answer: the connection was lost. */
  readonly unanswered: number;
}

/** The connection must stand, and nobody else may use its outbox. Resolves when all is answered, or with its end. */
export function retryLetters(connection: MqttConnection, letters: readonly DeadLetter[]): Promise<Retried> {
  const { outbox } = connection;
  const messages = letters.flatMap((letter, index) => letter.messages.map((message) => ({ ...message, index })));
  const left = letters.map((letter) => letter.messages.length);
  const worst = letters.map(() => 0);
  const topics = new Map<string, EncodedTopic>();
  let next = 0;
  let answered = 0;

  return new Promise((resolve) => {
    const done = (): void => {
      outbox.onAck = undefined;
      outbox.onRoom = undefined;
      outbox.onReset = undefined;
      const result = { accepted: [] as string[], refused: {} as Record<string, number>, unanswered: 0 };
      for (const [index, letter] of letters.entries()) {
        const reason = worst[index]!;
        const name = `0x${reason.toString(16)}`;
        if (left[index]! > 0) result.unanswered++;
        else if (reason < REASON_REFUSED) result.accepted.push(letter.id);
        else result.refused[name] = (result.refused[name] ?? 0) + 1;
      }
      resolve(result);
    };
    const pump = (): void => {
      for (; next < messages.length && outbox.room(1) > 0; next++) {
        const { topic, payload, index } = messages[next]!;
        let encoded = topics.get(topic);
        if (encoded === undefined) topics.set(topic, (encoded = encodeTopic(topic)));
        outbox.send(encoded, payload, 1, index, false);
      }
      outbox.flush();
    };
    outbox.onAck = (index, reasonCode) => {
      left[index]!--;
      worst[index] = Math.max(worst[index]!, reasonCode);
      if (++answered === messages.length) done();
      else pump();
    };
    outbox.onRoom = pump;
    outbox.onReset = done;
    if (messages.length === 0) done();
    else pump();
  });
}
