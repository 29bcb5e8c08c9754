// The console's page starts here.

import { render } from 'preact';
import { startKeyboard } from './keyboard.js';
import { startRouter } from './router.js';
import { Shell, startSession } from './shell.js';
import { startStream } from './stream.js';
import { startTheme } from './theme.js';

startTheme();
startRouter();
startKeyboard();
startStream();
render(<Shell />, document.body);
await startSession();
