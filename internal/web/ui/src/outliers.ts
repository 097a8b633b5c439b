// What nodes stand out by against their peers.
import { useEffect, useMemo } from "preact/hooks";
import { list } from "./format";
import { on } from "./live";
import { useData } from "./parts";
import type { Outliers } from "./types";

/** useOutliers reads what stands out once the nodes are there, and again a while after anomalies were found: they come by the hundred. */
export function useOutliers(there: boolean) {
  const read = useData<Outliers>(there ? "/outliers" : "");
  useEffect(() => {
    let soon: ReturnType<typeof setTimeout> | undefined;
    const off = on("anomalies", () => { soon ??= setTimeout(() => { soon = undefined; read.reload(); }, 5000); });
    return () => { off(); clearTimeout(soon); };
  }, []);
  const by = useMemo(() => new Map(list(read.data?.items).map((o) => [o.node, o])), [read.data]);
  return { ...read, by };
}
