/**
 * What is wrong with the servers at the moment, for everybody.
 */

/** The state of the world outside the nodes. */
export type Weather = {
  isJournalAway: boolean;
  isBoardAway: boolean;
  isWalletAway: boolean;
  isWalletSlow: boolean;
  /** Requests that are still on their way to the wallet. */
  walletBacklog: number;
};

/** Everything is there. */
export function fairWeather(): Weather {
  return { isJournalAway: false, isBoardAway: false, isWalletAway: false, isWalletSlow: false, walletBacklog: 0 };
}
