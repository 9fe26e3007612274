namespace Cube.AppHost.Settings;

/// <summary>Cube cannot start, for a reason that one line explains. Ends with exit code 1.</summary>
internal sealed class StartupException(string message) : Exception(message);
