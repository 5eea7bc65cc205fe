// How the console uses its types of the interface. Nothing of it runs: tests/whole/api/types.rs has tsc check
// it, which also refuses a line that is marked as an error and is none.
import type { paths } from "../../api/console/src/api";

type Done = 200 | 201 | 202;
type Json<T> = T extends { content: { "application/json": infer Body } } ? Body : never;
type Taken<T> = T extends { requestBody: infer Body } ? Json<Body> : never;
type Given<T> = T extends { responses: infer All }
  ? { [S in keyof All & Done]: Json<All[S]> }[keyof All & Done]
  : never;
type Get<P extends keyof paths> = paths[P]["get"];
type Post<P extends keyof paths> = paths[P]["post"];

declare function get<P extends keyof paths>(path: P): Promise<Given<Get<P>>>;
declare function post<P extends keyof paths>(path: P, body: Taken<Post<P>>): Promise<Given<Post<P>>>;

export async function customer(): Promise<string> {
  const made = await post("/v1/customers", { company_name: "Acme Telecom" });
  const customer = await get("/v1/customers/{id}");
  const status: "ACTIVE" | "TRIAL" | "SUSPENDED" = customer.status;
  // @ts-expect-error: there is no such field
  customer.phone;
  // @ts-expect-error: money is text
  const limit: number = customer.credit_limit;
  // @ts-expect-error: there is no such path
  await get("/v1/customer/{id}");
  return `${made.ban} or ${customer.ban} is ${status}, ${limit} at most`;
}

export async function account(): Promise<string> {
  const path = "/v1/admin/customers/{ban}/esme-accounts";
  // What has a default may be left out.
  const account = await post(path, { system_id: "acme", throughput: 100 });
  const password: string = account.password ?? "the one that was given";
  // @ts-expect-error: an account has a system_id
  await post(path, { throughput: 100 });
  // @ts-expect-error: there is no such field
  await post(path, { system_id: "acme", speed: 100 });
  // @ts-expect-error: it is a number
  await post(path, { system_id: "acme", throughput: "100" });
  // @ts-expect-error: there is no such word
  await post("/v1/customers", { company_name: "Acme Telecom", status: "ASLEEP" });
  return `${account.id} ${password}`;
}
