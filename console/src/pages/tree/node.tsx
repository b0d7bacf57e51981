import { useTranslation } from "react-i18next";
import { Raw } from "../../components/bits";
import { count, moment } from "../../lib/format";
import type { Line } from "../../lib/outline";
import { shown } from "../../lib/untrusted";

/** What is known of one node of a tree. */
export function Chosen({ line }: { line: Line }) {
  const { t, i18n } = useTranslation();
  const { node } = line;
  const { examples, first_seen, last_seen } = node.metadata as {
    examples?: unknown[];
    first_seen?: string;
    last_seen?: string;
  };
  const rows: [string, string][] = [
    [t("tree.type"), node.type],
    [t("tree.events"), count(node.events_count, i18n.language)],
    [t("tree.first"), moment(first_seen, i18n.language)],
    [t("tree.last"), moment(last_seen, i18n.language)],
    [t("tree.node"), line.pointer],
  ];
  return (
    <aside className="panel" aria-label={t("tree.node")}>
      <h2>
        <Raw value={node.name} most={2000} />
      </h2>
      <dl className="pairs">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <Raw value={value} most={2000} />
            </dd>
          </div>
        ))}
      </dl>
      {examples && examples.length > 0 && (
        <>
          <h3>{t("tree.examples")}</h3>
          <ul className="lines">
            {examples.map((example, i) => (
              <li key={i}>
                <Raw value={typeof example === "string" ? example : JSON.stringify(example)} />
              </li>
            ))}
          </ul>
        </>
      )}
      <details>
        <summary>JSON</summary>
        <pre tabIndex={0} aria-label="JSON">
          {shown(JSON.stringify(node.metadata, null, 2), 4000, true)}
        </pre>
      </details>
    </aside>
  );
}
