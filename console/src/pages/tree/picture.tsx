import { Suspense, lazy, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "react-router";
import { Bars } from "../../components/bars";
import { Failed, Loading, Nothing, Raw } from "../../components/bits";
import { count } from "../../lib/format";
import { changed, useSearch } from "../../lib/search";
import { find, grow, leaves } from "../../lib/subtree";
import { useHeat, useTree } from "../../lib/tree";

const TreePicture = lazy(() => import("../../components/tree-picture"));

/** More ends are areas that nobody can point at, or a chart that nobody scrolls through. */
const LIMITS = {
  map: { leaves: 400, depth: 3, children: 60 },
  chart: { leaves: 80, depth: 12, children: 10 },
};
/** All that is directly below, for the list. */
const LISTED = { leaves: Infinity, depth: 1, children: Infinity };

interface Props {
  id: string;
  at: string;
  kind: "map" | "chart";
}

/** A part of the tree as a picture, and beside it what is in the part, to read and to go down by key. */
export function Picture({ id, at, kind }: Props) {
  const { t, i18n } = useTranslation();
  const { query, get, set } = useSearch();
  const place = useLocation();
  const asked = useTree(id, at || undefined);
  const root = asked.data;
  const heats = useHeat(id, root);
  const pointer = get("part");
  const trail = useMemo(() => (root ? find(root, pointer) : null), [root, pointer]);
  const node = trail?.at(-1)?.node;
  const branch = useMemo(
    () => (node ? grow(node, pointer, heats, LIMITS[kind]) : null),
    [node, pointer, heats, kind],
  );
  if (asked.isPending) return <Loading lines={10} />;
  if (!root) return <Failed error={asked.error} retry={() => void asked.refetch()} />;
  if (!trail || !node || !branch)
    return (
      <Nothing title={t("tree.none")}>
        <button type="button" className="button" onClick={() => set({ part: null })}>
          {t("tree.whole")}
        </button>
      </Nothing>
    );
  const to = (part: string) => `${place.pathname}?${changed(query, { part }).toString()}`;
  const name = (one: { pointer: string; node: { name: string } }) =>
    one.pointer === "" ? t("tree.whole") : <Raw value={one.node.name} most={60} />;
  const below = grow(node, pointer, heats, LISTED).children;
  return (
    <>
      <nav className="crumbs" aria-label={t("tree.part")}>
        {trail.map((one, i) =>
          i === trail.length - 1 ? (
            <b key={one.pointer}>{name(one)}</b>
          ) : (
            <Link key={one.pointer} to={to(one.pointer)}>
              {name(one)}
            </Link>
          ),
        )}
      </nav>
      <div className="beside picture">
        <section
          className="card"
          aria-label={t(kind === "map" ? "tree.viewMap" : "tree.viewChart")}
        >
          <p className="muted">
            {t(kind === "map" ? "tree.mapText" : "tree.chartText", {
              n: count(leaves(branch), i18n.language),
            })}
          </p>
          <div
            className="scroll"
            role="group"
            tabIndex={0}
            aria-label={t(kind === "map" ? "tree.viewMap" : "tree.viewChart")}
          >
            <Suspense fallback={<Loading lines={10} />}>
              <TreePicture
                kind={kind}
                branch={branch}
                label={`${t("tree.part")}: ${node.name}. ${t("tree.pictureText")}`}
                onOpen={(part) => set({ part })}
              />
            </Suspense>
          </div>
        </section>
        <section className="card" aria-label={t("tree.below")}>
          <h2>{t("tree.below")}</h2>
          <Bars
            label={t("tree.below")}
            bars={below.map((one) => ({
              key: one.pointer,
              name: (
                <>
                  <Raw value={one.name} most={120} />{" "}
                  {one.heat > 0 && (
                    <span className="tag bad">{t("nav.open", { n: one.heat })}</span>
                  )}
                </>
              ),
              value: one.events,
              ...(one.hidden > 0 ? { to: to(one.pointer) } : {}),
            }))}
          />
        </section>
      </div>
    </>
  );
}
