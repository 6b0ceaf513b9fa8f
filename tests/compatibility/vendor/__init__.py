"""The official tool beside the plugin."""
