import about from '../../package.json' with { type: 'json' };

/**
 * The version of this project, as in package.json, which the image's label and `--version` repeat.
 */
export const VERSION: string = about.version;
