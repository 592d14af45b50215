/**
 * Everything that the project takes from `@std`: whoever can load this file can
 * load the rest.
 *
 * @module
 */

import "@std/assert";
import "@std/cli";
import "@std/yaml";
