// Cuts a published description of Stripe's API down to the calls that the tests make, so that a server is up in seconds:
// node cut_openapi.mjs whole.json part.json
import { readFileSync, writeFileSync } from "node:fs";

const calls = {
  "/v1/billing_portal/sessions": ["post"],
  "/v1/customers": ["get", "post"],
  "/v1/customers/search": ["get"],
  "/v1/customers/{customer}": ["get"],
  "/v1/products/{id}": ["get"],
  "/v1/subscriptions": ["get"],
  "/v1/subscriptions/{subscription_exposed_id}": ["post"],
};

const [, , whole, part] = process.argv;
const all = JSON.parse(readFileSync(whole, "utf8"));

// Objects in the place of ids come only where they are asked for, which is nowhere.
const withoutExpansions = (node) => {
  if (Array.isArray(node)) return node.map(withoutExpansions);
  if (node === null || typeof node !== "object") return node;
  if (node["x-expansionResources"] && !Array.isArray(node["x-expansionResources"])) {
    return { type: "string", nullable: true };
  }
  return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, withoutExpansions(value)]));
};

// A form's nested objects that are not sent count as empty ones there, which lack what they would need.
const withoutNested = (schema, top = true) => {
  if (Array.isArray(schema)) return schema.map((inner) => withoutNested(inner, false));
  if (schema === null || typeof schema !== "object") return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([name, value]) => top || name !== "required" || !Array.isArray(value))
      .map(([name, value]) => [name, withoutNested(value, false)]),
  );
};

const paths = {};
for (const [path, methods] of Object.entries(calls)) {
  paths[path] = {};
  for (const method of methods) {
    const operation = withoutExpansions(all.paths[path]?.[method]);
    if (!operation) throw new Error(`the description has no ${method} ${path}`);
    if (method === "get") delete operation.requestBody;
    for (const content of Object.values(operation.requestBody?.content ?? {})) {
      content.schema = withoutNested(content.schema);
      // Prism reads no lists of objects from forms and refuses each as 415. What we send there is compared with what
      // Stripe's own library sends.
      for (const [name, field] of Object.entries(content.schema.properties ?? {})) {
        if (field.type === "array" && field.items?.type === "object") delete content.schema.properties[name];
      }
    }
    paths[path][method] = operation;
  }
}

const schemas = {};
const follow = (node) => {
  if (node === null || typeof node !== "object") return;
  for (const [name, value] of Object.entries(node)) {
    const referred = name === "$ref" && /^#\/components\/schemas\/(.+)$/.exec(value)?.[1];
    if (referred && !schemas[referred]) {
      schemas[referred] = withoutExpansions(all.components.schemas[referred]);
      follow(schemas[referred]);
    } else follow(value);
  }
};
follow(paths);

const { openapi, info, security } = all;
const components = { schemas, securitySchemes: all.components.securitySchemes };
writeFileSync(part, JSON.stringify({ openapi, info, security, servers: [{ url: "/" }], paths, components }));
