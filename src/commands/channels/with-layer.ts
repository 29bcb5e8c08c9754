// Opens the channel layer of a command: that of the site, or the one that --layer names.

import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { type ChannelLayer, InvalidOptionError, openLayer } from '../../../channels/index.js';
import { LinodError, NoSiteError, UsageError } from '../../base/errors.js';
import { hidePassword } from '../../base/hide-password.js';
import { layerName, requireKept } from '../../insight/channel-messages.js';
import { aboutSetting, checkSetting } from '../../site/resolve-settings.js';
import { findSite, requireOn, type SiteJsonFlags, siteCommand } from '../main.js';

/** Longer than the default of a layer, because a person on a busy machine can wait. */
const timeoutMs = 5000;

export interface LayerFlags extends SiteJsonFlags {
  readonly layer?: string;
}

/** `--layer` names a missing file. It is probably mistyped, so a command that only reads does not create it. */
class NoLayerFileError extends LinodError {
  constructor(path: string) {
    super('LINOD_ERR_NO_LAYER_FILE', `there is no channel layer at ${JSON.stringify(path)}: no such file`);
  }
}

/** A command about a layer, with `--site`, `--layer`, `--json` and help. */
export function layerCommand(name: string, description: string, help: string): Command {
  const own = "the channel layer, instead of the site's; it needs no site";
  return siteCommand(name, description, help).option('--layer <url>', own);
}

/**
 * The action of such a command: opens the layer, calls `use`, and closes the layer. The flags may also stand before the
 * name of a subcommand. The words are the arguments of the command.
 *
 * @param makesFile whether the command may create the file that `--layer` names, as by sending; default false
 * @throws NoSiteError when neither a layer nor a site is named or found; NoLayerFileError; NothingKeptError;
 *   BadConfigError; UsageError
 */
export function onLayer<F extends LayerFlags = LayerFlags>(
  use: (layer: ChannelLayer, flags: F, ...words: string[]) => Promise<void>,
  { makesFile = false } = {},
): (this: Command) => Promise<void> {
  return async function (this: Command) {
    const flags = this.optsWithGlobals<F>();
    const { layer, name } = await open(flags);
    try {
      // The layer opens nothing before its first use. The file of a site may be created by any process.
      if (flags.layer !== undefined && !makesFile) refuseMissingFile(name);
      requireKept(layer, name);
      await use(layer, flags, ...this.processedArgs.flat());
    } finally {
      await layer.close();
    }
  };
}

function refuseMissingFile(name: string): void {
  const path = /^sqlite:(?:\/\/)?(.+)/.exec(name)?.[1];
  if (path !== undefined && !existsSync(path)) throw new NoLayerFileError(path);
}

/** An open layer, and its URL without a password. */
interface OpenedLayer {
  readonly layer: ChannelLayer;
  readonly name: string;
}

async function open(flags: LayerFlags): Promise<OpenedLayer> {
  const overrides = flags.layer === undefined ? {} : { channelLayer: flags.layer };
  try {
    const site = requireOn(await findSite(flags, overrides));
    return { layer: await site.openLayer({ timeoutMs }), name: layerName(site.settings.channelLayer) };
  } catch (error) {
    if (!(error instanceof NoSiteError) || flags.layer === undefined || flags.site !== undefined) throw error;
    return await openAlone(flags.layer);
  }
}

/** Opens a layer outside of any site, with the default options. */
async function openAlone(url: string): Promise<OpenedLayer> {
  const { allowed, read } = aboutSetting('channelLayer');
  const checked = checkSetting('channelLayer', read?.(url) ?? url, process.cwd());
  if (checked === undefined)
    throw new UsageError(`expected --layer to be ${allowed}, got: ${JSON.stringify(hidePassword(url))}`);
  try {
    return { layer: await openLayer(checked, { timeoutMs }), name: layerName(checked) };
  } catch (error) {
    if (error instanceof InvalidOptionError) throw new UsageError(`--layer: ${error.message}`);
    throw error;
  }
}
