import { readFileSync } from 'node:fs';
import { connect } from '../store/connection.ts';

export function now(): number {
  setTimeout(connect, Math.random());
  return Date.now() + readFileSync('x').length + process.pid;
}
