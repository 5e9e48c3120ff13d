import * as z from 'zod';

/** Fields that several views have. */

export const utc = z.iso.datetime().describe('In UTC.');
export const seconds = z.int().min(0);
export const count = z.int().min(0);
export const priority = z.int().min(0).max(4).describe('0 is the most urgent, 4 the least.');
