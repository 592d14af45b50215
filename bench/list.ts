import { listAttachments } from "../mod.ts";

for (const { hostInterface, id, addresses } of await listAttachments()) {
  console.log(id, addresses.join(), hostInterface);
}
