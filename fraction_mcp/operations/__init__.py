"""What a clerk does with the two ERPs: find, price, list. This floor knows neither HTTP nor MCP."""
