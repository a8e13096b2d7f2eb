"""In which state is each agent, and was at any time? Phones, queues, calls and clicks, joined."""
