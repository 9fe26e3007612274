using System.Globalization;
using System.Net;
using Microsoft.Extensions.Configuration;

namespace Cube.AppHost.Settings;

internal enum ServerChoice
{
    /// <summary>Containers if a runtime is available, otherwise programs of this host, otherwise built-in replacements.</summary>
    Auto,
    Containers,

    /// <summary>Never a container.</summary>
    Host,
}

/// <summary>The <c>CUBE_…</c> settings, from the environment or as <c>--NAME=value</c>.</summary>
internal sealed record CubeSettings
{
    /// <summary>The data directory. Several instances can run at the same time with different directories.</summary>
    public required string DataDirectory { get; init; }

    public required ServerChoice Servers { get; init; }

    /// <summary>The address that the proxy listens on. The other services listen on loopback.</summary>
    public required string Bind { get; init; }

    public required Ports Ports { get; init; }

    public required bool Dashboard { get; init; }

    /// <summary><c>ollama</c>, <c>vllm</c>, <c>guide</c> or empty for automatic selection.</summary>
    public required string BackendKind { get; init; }

    public required Uri? BackendUrl { get; init; }

    /// <summary>The model that a container started by Cube serves, and that the start message names if there are several.</summary>
    public required string? Model { get; init; }

    /// <summary>HTTP address of an external SpiceDB; requires <see cref="SpiceDbKey"/>, its preshared key.</summary>
    public required Uri? SpiceDbUrl { get; init; }

    public required string? SpiceDbKey { get; init; }

    /// <summary>Path of the program <c>spicedb</c>.</summary>
    public required string? SpiceDbProgram { get; init; }

    /// <summary>The agent's attestation platform: <c>simulated</c>, or the TEE of this machine.</summary>
    public required string Attestation { get; init; }

    /// <summary>Path of the seed appraisal policy of the platform. Optional with simulated Evidence.</summary>
    public required string? AttestationPolicy { get; init; }

    public required string AdminEmail { get; init; }

    public required string? AdminPassword { get; init; }

    /// <exception cref="StartupException">A setting is invalid.</exception>
    public static CubeSettings Read(string[] args)
    {
        var configuration = new ConfigurationBuilder().AddEnvironmentVariables().AddCommandLine(args).Build();
        var settings = new CubeSettings
        {
            DataDirectory = Path.GetFullPath(Text("CUBE_DATA") ?? ".cube"),
            Servers = OneOf("CUBE_SERVERS", "auto", "containers", "host") switch
            {
                "containers" => ServerChoice.Containers,
                "host" => ServerChoice.Host,
                _ => ServerChoice.Auto,
            },
            Bind = Address("CUBE_BIND"),
            Ports = Ports.Choose(Number("CUBE_PORTS") switch
            {
                null => false,
                0 => true,
                _ => throw new StartupException("CUBE_PORTS can only be 0, which selects free ports."),
            }, Number),
            Dashboard = OneOf("CUBE_DASHBOARD", "true", "false") != "false",
            BackendKind = OneOf("CUBE_BACKEND_KIND", "", "ollama", "vllm", "guide"),
            BackendUrl = Url("CUBE_BACKEND_URL"),
            Model = Text("CUBE_MODEL"),
            SpiceDbUrl = Url("CUBE_SPICEDB_URL"),
            SpiceDbKey = Text("CUBE_SPICEDB_KEY"),
            SpiceDbProgram = Text("CUBE_SPICEDB_PROGRAM") is { } program
                ? File.Exists(program) ? Path.GetFullPath(program) : throw new StartupException($"CUBE_SPICEDB_PROGRAM: the file {program} does not exist.")
                : null,
            Attestation = OneOf("CUBE_ATTESTATION", "simulated", "sev-snp", "tdx", "azure", "auto"),
            AttestationPolicy = Text("CUBE_ATTESTATION_POLICY") is { } policy
                ? File.Exists(policy) ? Path.GetFullPath(policy) : throw new StartupException($"CUBE_ATTESTATION_POLICY: the file {policy} does not exist.")
                : null,
            AdminEmail = Text("CUBE_ADMIN_EMAIL") ?? "admin@example.com",
            AdminPassword = Text("CUBE_ADMIN_PASSWORD"),
        };
        return settings switch
        {
            { SpiceDbUrl: not null, SpiceDbKey: null } or { SpiceDbUrl: null, SpiceDbKey: not null } =>
                throw new StartupException("CUBE_SPICEDB_URL and CUBE_SPICEDB_KEY must be set together: the address of SpiceDB and its preshared key."),
            { Attestation: not "simulated", AttestationPolicy: null } =>
                throw new StartupException($"CUBE_ATTESTATION={settings.Attestation} needs CUBE_ATTESTATION_POLICY: the file with the appraisal policy of the platform."),
            { BackendUrl: not null, BackendKind: "" } => throw new StartupException("CUBE_BACKEND_URL needs CUBE_BACKEND_KIND: ollama or vllm."),
            { BackendUrl: not null, BackendKind: "guide" } => throw new StartupException("CUBE_BACKEND_KIND=guide does not use CUBE_BACKEND_URL: the guide is built in."),
            _ => settings,
        };

        string? Text(string name) => configuration[name] is { Length: > 0 } value ? value : null;

        // The first value is the default.
        string OneOf(string name, params ReadOnlySpan<string> allowed)
        {
            var value = Text(name)?.ToLowerInvariant() ?? allowed[0];
            return allowed.Contains(value)
                ? value
                : throw new StartupException($"{name} must be one of {string.Join(", ", allowed.ToArray().Where(static item => item.Length > 0))}, not '{value}'.");
        }

        int? Number(string name) => Text(name) is not { } value
            ? null
            : int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= ushort.MaxValue
                ? number
                : throw new StartupException($"{name} must be a port from 0 to 65535, not '{value}'.");

        Uri? Url(string name) => Text(name) is not { } value
            ? null
            : Uri.TryCreate(value, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
                ? url
                : throw new StartupException($"{name} must be an http or https address, not '{value}'.");

        string Address(string name) => Text(name) is not { } value || value == "localhost"
            ? "localhost"
            : IPAddress.TryParse(value, out _)
                ? value
                : throw new StartupException($"{name} must be an IP address of this machine, or 0.0.0.0 for all, not '{value}'.");
    }
}
