/**
 * What other programs said, made fit to be repeated in a note, a log line or an error: one line, of
 * bounded length, without control characters and secrets.
 */

/** Longest piece of an answer or a reason that is repeated, in characters. */
const QUOTE_CHARACTERS = 500;
/** What is looked through for secrets: the patterns below are tried at each character. */
const SCANNED_CHARACTERS = 4_000;
/** A shorter one stands in too many words, and its absence would tell more than it hides. */
const MIN_SECRET_CHARACTERS = 5;
const HIDDEN = '[secret]';

const known = new Set<string>();

/** From here on these values are hidden in every quotation, whatever stands around them. */
export function hideSecrets(values: readonly string[]): void {
  for (const value of values) if (value.length >= MIN_SECRET_CHARACTERS) known.add(value);
}

/** The values that {@link hideSecrets} was told of. */
export const knownSecrets = (): readonly string[] => [...known];

/** A word that says that a secret follows, such as `client_secret` or `apiToken`. */
const NAME = String.raw`[\w-]{0,40}(?:token|secret|passw(?:or)?d|pwd|api[-_]?key|private[-_]?key|credentials?|authorization)`;
/** Quotes, escaped or not, and the sign between a name and its value. */
const IS = String.raw`\\*["']?\s*[:=]\s*`;

/** Each pattern keeps its first group, and hides the rest. */
const SECRETS: readonly RegExp[] = [
  /((?:bearer|basic|token)\s+)[\w.~+/=-]{5,}/gi,
  new RegExp(String.raw`(${NAME}${IS}\\*["'])[^"'\\]+`, 'gi'),
  new RegExp(String.raw`(${NAME}${IS})(?![\\"'\s]|(?:bearer|basic)\s)[^\s"'\\,;&}]+`, 'gi'),
  /((?:\/\/|\b)(?!mailto:)[\w.%+-]{1,64}:)[^\s@/]{1,256}(?=@[\w.-])/gi,
  /\b()(?:gh[pousr]_|github_pat_|glpat-|npm_|hvs\.|sk-|xox[abeprs]-|AIza)[\w-]{10,}/g,
  /\b()AKIA[0-9A-Z]{12,}/g,
  /\b()eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g,
  /()-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?!-----END).)*(?:-----END [A-Z ]*-----)?/g,
];

/** One line without control characters and secrets, at most `characters` characters long. */
export function oneLine(text: string, characters = QUOTE_CHARACTERS): string {
  const flat = [...known]
    .reduce((shown, secret) => shown.replaceAll(secret, HIDDEN), text)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
  // A word that is cut may be half a secret, which no pattern would know.
  const scanned =
    flat.length > SCANNED_CHARACTERS
      ? flat.slice(0, SCANNED_CHARACTERS).replace(/\s\S*$/, '')
      : flat;
  const shown = SECRETS.reduce((rest, secret) => rest.replace(secret, `$1${HIDDEN}`), scanned);
  return Array.from(shown).slice(0, characters).join('');
}

/** The words of somebody else, marked as such. */
export const quoted = (text: string): string => `"${oneLine(text)}"`;
