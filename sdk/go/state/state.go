// Package state is for plugins that keep something when the host replaces their instance: by a new version of the
// plugin, by another configuration, or because the instance is old. Nothing is kept after a panic or a restart of the
// host. The plugin must ask for one instance only ([tailrace.Interest.Single]).
package state

// Keeper is what [Export] takes: the plugin.
type Keeper interface {
	// Save says what to keep. The instance gets no further call.
	Save() []byte
	// Restore takes what an older instance, perhaps of an older version, has saved. It is called after Configure and
	// before any batch. An error is logged, and the plugin starts fresh.
	Restore(state []byte) error
}

var exported Keeper

// Export makes the plugin one with state. Call it in init, besides the Export of its kind.
func Export(plugin Keeper) { exported = plugin }
