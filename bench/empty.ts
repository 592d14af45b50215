import "@std/cli";
