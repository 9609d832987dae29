// One call of the JavaScript SDK: node call.mjs OPERATION '{"members": …}' prints the answer as JSON.
import * as sdk from "@aws-sdk/client-mturk";

const [operation, members] = process.argv.slice(2);
const client = new sdk.MTurkClient({ region: "us-east-1", maxAttempts: 1 });
try {
  const { $metadata, ...answer } = await client.send(new sdk[`${operation}Command`](JSON.parse(members)));
  console.log(JSON.stringify(answer));
} catch (error) {
  console.error(`${error.TurkErrorCode ?? error.name}: ${error.message}`);
  process.exit(1);
}
