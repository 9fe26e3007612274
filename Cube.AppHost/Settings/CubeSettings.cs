using System.Globalization;
using System.Net;
using Microsoft.Extensions.Configuration;

namespace Cube.AppHost.Settings;

internal enum ServerChoice
{
    /// <summary>Containers where a runtime answers, else programs of this host, else what is built in.</summary>
    Auto,
    Containers,

    /// <summary>Never a container.</summary>
    Host,
}

/// <summary>The <c>CUBE_…</c> settings, from the environment or as <c>--NAME=value</c>.</summary>
internal sealed record CubeSettings
{
    /// <summary>Where this Cube keeps its data. Two of them run side by side with two directories.</summary>
    public required string DataDirectory { get; init; }

    public required ServerChoice Servers { get; init; }

    /// <summary>The address that the proxy listens on; everything else stays on loopback.</summary>
    public required string Bind { get; init; }

    public required Ports Ports { get; init; }

    public required bool Dashboard { get; init; }

    /// <summary><c>ollama</c>, <c>vllm</c>, <c>guide</c> or empty where it is to be found out.</summary>
    public required string BackendKind { get; init; }

    public required Uri? BackendUrl { get; init; }

    /// <summary>The model that a container of Cube's own serves, and that the start message names where there are several.</summary>
    public required string? Model { get; init; }

    /// <summary>A SpiceDB that runs elsewhere: its HTTP address and its preshared key.</summary>
    public required Uri? SpiceDbUrl { get; init; }

    public required string? SpiceDbKey { get; init; }

    /// <summary>Path of the program <c>spicedb</c>.</summary>
    public required string? SpiceDbProgram { get; init; }

    /// <summary>What the agent proves: <c>simulated</c> on a laptop, or the platform it runs on.</summary>
    public required string Attestation { get; init; }

    /// <summary>Path of the platform's first attestation policy; simulated evidence has one of its own.</summary>
    public required string? AttestationPolicy { get; init; }

    public required string AdminEmail { get; init; }

    public required string? AdminPassword { get; init; }

    /// <exception cref="StartupException">A setting is not one of those that it may be.</exception>
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
                _ => throw new StartupException("CUBE_PORTS can only be 0, which lets all ports be free ones."),
            }, Number),
            Dashboard = OneOf("CUBE_DASHBOARD", "true", "false") != "false",
            BackendKind = OneOf("CUBE_BACKEND_KIND", "", "ollama", "vllm", "guide"),
            BackendUrl = Url("CUBE_BACKEND_URL"),
            Model = Text("CUBE_MODEL"),
            SpiceDbUrl = Url("CUBE_SPICEDB_URL"),
            SpiceDbKey = Text("CUBE_SPICEDB_KEY"),
            SpiceDbProgram = Text("CUBE_SPICEDB_PROGRAM") is { } program
                ? File.Exists(program) ? Path.GetFullPath(program) : throw new StartupException($"CUBE_SPICEDB_PROGRAM names {program}, and there is no such file.")
                : null,
            Attestation = OneOf("CUBE_ATTESTATION", "simulated", "sev-snp", "tdx", "azure", "auto"),
            AttestationPolicy = Text("CUBE_ATTESTATION_POLICY") is { } policy
                ? File.Exists(policy) ? Path.GetFullPath(policy) : throw new StartupException($"CUBE_ATTESTATION_POLICY names {policy}, and there is no such file.")
                : null,
            AdminEmail = Text("CUBE_ADMIN_EMAIL") ?? "admin@example.com",
            AdminPassword = Text("CUBE_ADMIN_PASSWORD"),
        };
        return settings switch
        {
            { SpiceDbUrl: not null, SpiceDbKey: null } or { SpiceDbUrl: null, SpiceDbKey: not null } =>
                throw new StartupException("CUBE_SPICEDB_URL and CUBE_SPICEDB_KEY belong together: where SpiceDB is, and the key that opens it."),
            { Attestation: not "simulated", AttestationPolicy: null } =>
                throw new StartupException($"CUBE_ATTESTATION={settings.Attestation} needs CUBE_ATTESTATION_POLICY: the file that says which machines are accepted."),
            { BackendUrl: not null, BackendKind: "" } => throw new StartupException("CUBE_BACKEND_URL needs CUBE_BACKEND_KIND: ollama or vllm."),
            { BackendUrl: not null, BackendKind: "guide" } => throw new StartupException("CUBE_BACKEND_KIND=guide has no CUBE_BACKEND_URL: it is built in."),
            _ => settings,
        };

        string? Text(string name) => configuration[name] is { Length: > 0 } value ? value : null;

        // The first is the default.
        string OneOf(string name, params ReadOnlySpan<string> allowed)
        {
            var value = Text(name)?.ToLowerInvariant() ?? allowed[0];
            return allowed.Contains(value)
                ? value
                : throw new StartupException($"{name} can be {string.Join(", ", allowed.ToArray().Where(static item => item.Length > 0))}, not '{value}'.");
        }

        int? Number(string name) => Text(name) is not { } value
            ? null
            : int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= ushort.MaxValue
                ? number
                : throw new StartupException($"{name} must be a port, 0 to 65535, not '{value}'.");

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
