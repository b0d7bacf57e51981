import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { AlertList } from "../components/alert-list";

/** All alerts. */
export function Component() {
  const { t } = useTranslation();
  const client = useQueryClient();
  return (
    <>
      <h1 className="sr-only">{t("alerts.title")}</h1>
      <AlertList refresh={() => void client.invalidateQueries({ queryKey: ["alerts"] })} />
    </>
  );
}
