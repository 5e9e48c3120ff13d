import type { Settings } from '../settings/settings.ts';
import type { BackOff } from './back-off.ts';

/** What the settings say of dispatching. */
export interface Policy {
  retry: RetryPolicy;
  maxDispatchesPerTick: number;
  /** `undefined`: no bound. */
  maxInFlight: number | undefined;
}

export interface RetryPolicy {
  maxAttempts: number;
  backOff: BackOff;
}

/** @returns the policy that the settings ask for. */
export function policyOf(settings: Settings): Policy {
  return {
    retry: {
      maxAttempts: settings.MAX_ATTEMPTS,
      backOff: { baseMs: settings.RETRY_BASE_MS, maxMs: settings.RETRY_MAX_MS },
    },
    maxDispatchesPerTick: settings.MAX_DISPATCHES_PER_TICK,
    maxInFlight: settings.MAX_IN_FLIGHT,
  };
}
