/**
 * One child of the crew: plays what it is sent, answers, and ends with its parent.
 */
import type { StoryOptions } from './report.ts';
import { playStory } from './story.ts';

function isStory(message: unknown): message is StoryOptions {
  return typeof message === 'object' && message !== null && 'seed' in message && 'purchases' in message;
}

async function play(options: StoryOptions): Promise<void> {
  const result = await playStory(options).catch((error: unknown) => ({
    failed: error instanceof Error ? (error.stack ?? error.message) : String(error),
  }));
  const { user, system } = process.cpuUsage();
  process.send?.({ result, cpuMs: (user + system) / 1000 });
}

// The parent decides what Ctrl-C means.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit());
process.on('message', (message: unknown) => {
  if (isStory(message)) void play(message);
});
