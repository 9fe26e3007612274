using System.Text.Json;
using System.Text.Json.Serialization;
using Cube.AppHost.Settings;

namespace Cube.AppHost.Startup;

/// <summary>
/// <c>ready.json</c>: the addresses of the services, for scripts. It is written atomically, readable by its owner only, when all services are ready,
/// and deleted when Cube stops. Addresses have no trailing slash; null means that the service does not run.
/// </summary>
internal sealed record ReadyFile
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
    };

    public required int Pid { get; init; }
    public required string Version { get; init; }
    public required string Proxy { get; init; }
    public required string ProxyHttps { get; init; }

    /// <summary>Path of the PEM certificate of <see cref="ProxyHttps"/>.</summary>
    public required string Certificate { get; init; }

    public required string Identity { get; init; }
    public string? Guardrails { get; init; }
    public required string Agent { get; init; }

    /// <summary>Address of SpiceDB's HTTP API: SpiceDB or the engine in Identity.</summary>
    public required string? Authorization { get; init; }


    /// <summary>Id of the domain <c>default</c>.</summary>
    public required Guid? Domain { get; init; }

    public required string? Model { get; init; }
    public required string Backend { get; init; }
    public required string Attestation { get; init; }

    public void Write(DataDirectory data) => data.Write(Path.GetFileName(data.ReadyFile), JsonSerializer.Serialize(this, Json) + "\n");
}
