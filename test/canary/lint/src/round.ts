import { trip } from './trip.ts';

export const round = (): number => trip();
