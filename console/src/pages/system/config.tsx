import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { answer, api } from "../../api/client";
import { Raw } from "../../components/bits";
import { Table } from "../../components/table";
import { useSearch } from "../../lib/search";

/** A value in force, and who set it. */
interface Setting {
  value: unknown;
  origin: string;
}

const written = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));

/** The configuration as in force; what somebody has set is told from defaults. */
export function Config() {
  const { t } = useTranslation();
  const { get, set } = useSearch();
  const asked = useQuery({
    queryKey: ["config"],
    queryFn: async ({ signal }) =>
      (await answer(api.GET("/api/config", { signal }))) as Record<string, Setting>,
  });
  const needle = get("key").toLowerCase();
  const own = get("own") === "1";
  const rows = Object.entries(asked.data ?? {}).filter(
    ([key, one]) => key.includes(needle) && !(own && one.origin === "default"),
  );
  return (
    <section className="card">
      <div className="filters">
        <input
          type="search"
          className="input"
          value={get("key")}
          maxLength={100}
          placeholder={t("system.configSearch")}
          aria-label={t("system.configSearch")}
          onChange={(event) => set({ key: event.target.value }, true)}
        />
        <button
          type="button"
          className="button"
          aria-pressed={own}
          onClick={() => set({ own: own ? null : "1" })}
        >
          {t("system.configOwn")}
        </button>
        <span className="muted">{t("system.configText")}</span>
      </div>
      <Table
        label={t("system.config")}
        asked={asked}
        rows={rows}
        id={([key]) => key}
        columns={[
          { head: t("system.key"), cell: ([key]) => <Raw value={key} /> },
          { head: t("system.value"), cell: ([, one]) => <Raw value={written(one.value)} /> },
          {
            head: t("system.origin"),
            cell: ([, one]) => (
              <span className={one.origin === "default" ? "muted" : "tag good"}>
                <Raw value={one.origin} mono={false} />
              </span>
            ),
          },
        ]}
      />
    </section>
  );
}
