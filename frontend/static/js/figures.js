// Fetches the figures of charts: those of one run asked for in the same moment come in one request.
const ONE_OF_A_RUN = /^(\/api\/v1\/runs\/\d+\/charts)\/([^/?]+)$/;
const waiting = new Map();

async function answered(address) {
  const response = await fetch(address);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}

async function batch(key) {
  // A turn of the loop: every chart that came on screen with this one has asked by then.
  await new Promise((resolve) => { setTimeout(resolve, 0); });
  const { address, query, ids } = waiting.get(key);
  waiting.delete(key);
  const asked = new URLSearchParams(query);
  for (const id of ids) asked.append("charts", id);
  return answered(`${address}?${asked}`);
}

// The figure at `src` as `query` (URLSearchParams) asks for it.
export async function figure(src, query) {
  const [, address, id] = ONE_OF_A_RUN.exec(src) ?? [];
  if (!id) {
    const url = new URL(src, location);
    for (const [name, value] of query) url.searchParams.set(name, value);
    return answered(url);
  }
  const key = `${address}?${query}`;
  let group = waiting.get(key);
  if (!group) {
    group = { address, query, ids: new Set() };
    waiting.set(key, group);
    group.answer = batch(key);
  }
  group.ids.add(id);
  return (await group.answer)[id];
}
