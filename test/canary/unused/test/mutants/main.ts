import { used } from '../../src/part.ts';

used();
