from tailrace import AttributesPlugin, Group, Interest


class Tidy(AttributesPlugin):
    name = "tidy"
    version = "0.1.0"

    def configure(self, config: dict) -> Interest:
        for other in config.keys() - {"delete", "mask", "set", "drop_span_names"}:
            raise ValueError(f"{other}: unknown key")
        self.delete, self.mask = config.get("delete", []), config.get("mask", [])
        self.copy, self.names = config.get("set", {}), config.get("drop_span_names", [])
        keys = [*self.delete, *self.mask, *self.copy.values()]
        return Interest(attributes=keys, fields="span.name" if self.names else ())

    def group(self, group: Group) -> None:
        if group.get("span.name") in self.names:
            return group.drop()
        if self.copy and group.level == "item" and (source := group.find(self.copy["from"])):
            group.set(self.copy["to"], source)
        for attribute in group:
            if attribute.key in self.delete:
                attribute.remove()
            elif attribute.key in self.mask:
                attribute.set("****")
