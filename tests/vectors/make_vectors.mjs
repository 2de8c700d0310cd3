// Makes node_vectors.json: payloads written and signed the way Dub does it, with JSON.stringify
// and createHmac.  Run it with Node 20 or newer: node make_vectors.mjs > node_vectors.json
import { createHmac } from "node:crypto";

const SECRET = "whsec_0123456789abcdef0123456789abcdef";
const POSTBACK_SECRET = "pbsec_fedcba9876543210fedcba9876543210";

const lead = (name, eventName, metadata) => ({
  name,
  secret: SECRET,
  payload: {
    id: `evt_vector_${name}`,
    event: "lead.created",
    createdAt: new Date(Date.UTC(2026, 7, 20, 10, 11, 12, 345)),
    data: {
      eventName,
      customer: { id: "cus_A1", name: "Zoë Müller-Ōta", externalId: "" },
      click: { id: "click_A1", url: undefined, qr: false },
      link: { id: "link_A1", key: "größe/春" },
      metadata,
    },
  },
});

let deep = "bottom";
for (let level = 0; level < 60; level++) {
  deep = level % 2 ? [deep] : { deeper: deep };
}

const cases = [
  lead("ascii", "Sign up", null),
  lead("non_ascii", "Grüße aus Köln, 日本語, עברית, العربية, ไทย", { "schlüssel": "größer" }),
  lead("emoji", "🚀 👩‍👩‍👧‍👦 🇩🇪", { "🔑": "1️⃣", flag: "🏴󠁧󠁢󠁳󠁣󠁴󠁿" }),
  lead("line_separators", "a\u2028b\u2029c", { "\u2028": "\u2029", del: "\u007f", nel: "\u0085" }),
  lead("escapes", "\"quoted\" \\ / \b\f\n\r\t\u0000\u001f", { "\"\\\n": "</script>" }),
  lead("bom_inside", "\ufeffstart", { "\ufeff": "\ufffe\uffff" }),
  lead("lone_surrogates", "cut \ud83d", { low: "\ude00", "key \ud83d": 1, swapped: "\ude00\ud83d" }),
  lead("floats", "Purchase", {
    sum: 0.1 + 0.2,
    big: 1e21,
    bigger: 1.7976931348623157e308,
    small: 1e-7,
    smallest: 5e-324,
    negativeZero: -0,
    whole: 1.0,
    third: 1 / 3,
    negative: -1.5e-10,
  }),
  lead("big_numbers", "Purchase", {
    safe: Number.MAX_SAFE_INTEGER,
    unsafe: 2 ** 53 + 2,
    plain: 123456789012345680000,
    negative: -(2 ** 63),
  }),
  lead("integer_like_keys", "Purchase", { b: 1, 10: 2, a: 3, 2: 4, "01": 5, "-1": 6, "1.5": 7 }),
  lead("deep_metadata", "Purchase", { deep }),
  lead("empty_values", "", { object: {}, list: [], text: "", none: null, no: false, gone: undefined }),
  lead("long_text", "x".repeat(255), { text: "ä€𝄞".repeat(500) }),
  {
    name: "postback",
    secret: POSTBACK_SECRET,
    payload: {
      id: "evt_vector_postback",
      event: "commission.created",
      createdAt: "2026-08-20T10:11:12.345Z",
      data: { id: "cm_A1", amount: 1990, earnings: -398, currency: "usd" },
    },
  },
  {
    name: "non_ascii_secret",
    secret: "schlüssel-🔑",
    payload: { id: "evt_1", event: "new.event", createdAt: "2026-08-20T10:11:12.345Z", data: [] },
  },
  {
    name: "long_secret",
    secret: "segment-write-key-".repeat(8),
    payload: { id: "evt_2", event: "new.event", createdAt: "2026-08-20T10:11:12.345Z", data: null },
  },
];

// The file itself is ASCII, so that no editor and no checkout can change a byte of a body.
const ascii = (text) =>
  text.replace(/[\u007f-\uffff]/g, (unit) => "\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0"));

const vectors = cases.map(({ name, secret, payload }) => {
  const body = JSON.stringify(payload);
  return { name, secret, body, signature: createHmac("sha256", secret).update(body).digest("hex") };
});
process.stdout.write(ascii(JSON.stringify(vectors, null, 2)) + "\n");
