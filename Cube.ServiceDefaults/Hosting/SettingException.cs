namespace Cube.ServiceDefaults.Hosting;

/// <summary>A setting is missing or wrong. The message names the setting and what it must be, and never repeats a secret.</summary>
public sealed class SettingException(string message) : Exception(message);
