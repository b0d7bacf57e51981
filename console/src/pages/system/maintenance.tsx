import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { answer, api } from "../../api/client";
import { useMay } from "../../api/session";
import { Failed, Raw } from "../../components/bits";
import { Table } from "../../components/table";
import { moment } from "../../lib/format";
import { State, useEnd } from "./end";

/** Times in which nobody is notified, and a new one from now on. */
export function Maintenance() {
  const { t, i18n } = useTranslation();
  const may = useMay("POST /api/maintenance");
  const asked = useQuery({
    queryKey: ["maintenance"],
    queryFn: ({ signal }) => answer(api.GET("/api/maintenance", { signal })),
  });
  const end = useEnd("maintenance", (id) =>
    answer(api.DELETE("/api/maintenance/{id}", { params: { path: { id } }, body: {} })),
  );
  return (
    <section className="card">
      {may && <NewWindow />}
      <Table
        label={t("system.maintenance")}
        asked={asked}
        rows={asked.data?.maintenance}
        id={(one) => one.id}
        columns={[
          { head: t("alerts.container"), cell: (one) => <Raw value={one.container} /> },
          { head: t("system.begin"), cell: (one) => moment(one.start, i18n.language) },
          { head: t("system.expires"), cell: (one) => moment(one.end, i18n.language) },
          { head: t("system.by"), cell: (one) => <Raw value={one.by} mono={false} /> },
          {
            head: t("system.state"),
            cell: (one) => (
              <State
                active={one.active}
                busy={end.isPending}
                end={() => end.mutate(one.id)}
                route="DELETE /api/maintenance/{id}"
              />
            ),
          },
        ]}
      />
    </section>
  );
}

function NewWindow() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [container, setContainer] = useState("");
  const [hours, setHours] = useState("1");
  const add = useMutation({
    mutationFn: () => {
      const start = new Date();
      const until = new Date(start.getTime() + Number(hours) * 3_600_000);
      const body = { container, start: start.toISOString(), end: until.toISOString() };
      return answer(api.POST("/api/maintenance", { params: {}, body }));
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ["maintenance"] }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate();
  };
  return (
    <>
      <form className="filters" onSubmit={submit} aria-label={t("system.newWindow")}>
        <input
          className="input"
          required
          value={container}
          placeholder={t("system.containerPattern")}
          aria-label={t("system.containerPattern")}
          onChange={(event) => setContainer(event.target.value)}
        />
        <label htmlFor="hours">{t("system.hours")}</label>
        <input
          id="hours"
          className="input"
          type="number"
          min="0.25"
          step="0.25"
          required
          value={hours}
          onChange={(event) => setHours(event.target.value)}
        />
        <button type="submit" className="button" disabled={add.isPending}>
          {t("system.add")}
        </button>
      </form>
      {add.isError && <Failed error={add.error} />}
    </>
  );
}
