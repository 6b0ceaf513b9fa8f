// Reads through the official binding and prints, as JSON, what it made of each answer.
// Arguments: the binding's folder, the server's address; on stdin the token, then the calls as JSON.
const [, , binding, address] = process.argv;
const [token, calls] = require("fs").readFileSync(0, "utf8").split("\n");
const testmo = require(binding);
const client = new testmo.ApiClient();
client.basePath = address;
client.authentications.bearerAuth.accessToken = token;

async function read([api, operation, id, options]) {
  try {
    return { made: await new testmo[api](client)[operation](id, options) };
  } catch (error) {
    return { status: error.status, told: error.response && error.response.body };
  }
}

(async () => {
  const found = [];
  for (const call of JSON.parse(calls)) found.push(await read(call));
  console.log(JSON.stringify(found));
})();
