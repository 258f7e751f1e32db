// Calls a function of the room through Gradio's HTTP API, which answers with a stream of server-sent events.

/**
 * Yields what the function yields; `request` fetches. Throws when the server cannot be reached (any message), refuses
 * (its status as the message) or fails.
 */
export async function* stream(root, name, data, request = fetch) {
  const address = `${root}/gradio_api/call/${name}`;
  const headers = { "Content-Type": "application/json" };
  const joined = await request(address, { method: "POST", headers, body: JSON.stringify({ data }) });
  if (!joined.ok) throw new Error(`${joined.status}`);
  const { event_id } = await joined.json();
  const answer = await request(`${address}/${event_id}`);
  if (!answer.ok) throw new Error(`${answer.status}`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error("the answer was cut off");
    const events = (waiting + value).split("\n\n");
    waiting = events.pop();
    for (const event of events) {
      const kind = /^event: (\w+)/m.exec(event)?.[1];
      if (kind === "error") throw new Error("the call failed");
      if (kind === "complete") return; // it repeats what came last
      if (kind === "generating") yield JSON.parse(/^data: (.*)$/m.exec(event)[1])[0];
    }
  }
}
