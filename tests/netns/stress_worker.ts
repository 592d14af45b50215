/** The library used from a worker of the user's own. */

import { stress } from "./stress.ts";

// A message would be lost while the modules load, so the load stands in the worker's name.
const outcome = await stress(JSON.parse(self.name)).catch((error) => `${error.stack}`);
self.postMessage(outcome);
