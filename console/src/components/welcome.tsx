import { useTranslation } from "react-i18next";

/** Nothing has ever arrived: what to type. */
export function Welcome() {
  const { t } = useTranslation();
  const here = location.origin;
  const ways = [
    [
      t("welcome.recording"),
      `hanabi send fixtures/shop-small.jsonl.zst --speed 20 --shift end --to ${here}`,
    ],
    [
      t("welcome.falco"),
      `json_output: true\nhttp_output:\n  enabled: true\n  url: ${here}/ingest/falco`,
    ],
    [t("welcome.docker"), "hanabi run --source docker:falco"],
  ] as const;
  return (
    <div className="nothing">
      <h1>{t("welcome.title")}</h1>
      <p>{t("welcome.text")}</p>
      {ways.map(([name, text]) => (
        <div key={name}>
          <h3>{name}</h3>
          <pre tabIndex={0} aria-label={name}>
            {text}
          </pre>
        </div>
      ))}
    </div>
  );
}
