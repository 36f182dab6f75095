from tailrace import Attribute, AttributesPlugin, Interest


class Mask(AttributesPlugin):
    """Masks the attributes that the configuration names: `{"mask": ["user.email", "url.*"]}`."""

    name = "{{name}}"
    version = "0.1.0"

    def configure(self, config: dict) -> Interest:
        for other in config.keys() - {"mask"}:
            raise ValueError(f"{other}: unknown key")
        if not config.get("mask"):
            raise ValueError("mask: name at least one attribute")
        return Interest(attributes=config["mask"])

    def attribute(self, attribute: Attribute) -> None:
        value = attribute.value
        if isinstance(value, str):
            attribute.set("*" * len(value))
        else:
            attribute.remove()
