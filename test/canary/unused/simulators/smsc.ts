export const smsc = 1;
