// A conclusion that was exported, with nothing but a file.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Problem } from "./api";
import { Whole } from "./insight";
import { exported } from "./me";
import { Export, Marked, Page, State, useData, Wrong } from "./parts";
import type { Bundle } from "./types";

export const Opened = () => (exported.value ? <Served /> : <Chosen />);

/** Served is the file that the server was started with. */
function Served() {
  const of = useData<Bundle>("/opened");
  return <Shown of={of.data}><State of={of}>{() => null}</State></Shown>;
}

/** Chosen is a file of the reader's; no server sees it. */
function Chosen() {
  const [of, put] = useState<Bundle>(), [wrong, fail] = useState<Problem>();
  const open = async (e: Event) => {
    try {
      const b = JSON.parse(await (e.target as HTMLInputElement).files![0]!.text()) as Bundle;
      if (!b.insight?.id || !b.said) throw new Error("it holds no insight");
      if (b.type && b.type !== "fleetlens.v1.bundle") throw new Error(`it is a ${b.type}, and this is fleetlens.v1.bundle: use a newer fleetlens`);
      put(b);
      fail(undefined);
    } catch (err) { fail(new Problem("This is no export of an insight: " + (err as Error).message, 400)); }
  };
  return <Shown of={of}>
    <form class="filters"><label>Export (JSON) <input type="file" accept=".json,application/json" onChange={open} /></label></form>
    {wrong && <Wrong problem={wrong} />}
  </Shown>;
}

function Shown({ of, children }: { of: Bundle | undefined; children: ComponentChildren }) {
  return <Page title={of?.insight.summary ?? "Open an export"} heading={of && <Marked text={of.insight.summary} figures={of.insight.figures} />}>
    {children}
    {of && <Export.Provider value={of}><p class="banner">This is read from a file, as it was exported.</p><Whole v={of} changed={() => undefined} /></Export.Provider>}
  </Page>;
}
