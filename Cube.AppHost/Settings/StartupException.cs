namespace Cube.AppHost.Settings;

/// <summary>Cube cannot start. The message is one line; the process ends with exit code 1.</summary>
internal sealed class StartupException(string message) : Exception(message);
