namespace Cube.ServiceDefaults.Hosting;

/// <summary>A setting is missing or invalid. The message names the setting and its valid values, and never contains a secret.</summary>
public sealed class SettingException(string message) : Exception(message);
