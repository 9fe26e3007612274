namespace Cube.ServiceDefaults.Hosting;

/// <summary>What proxy and agent tell one another in headers.</summary>
public static class AgentHeaders
{
    /// <summary>Marks an error that the agent itself made, so that the proxy may pass it on. The agent lets no header of a backend through.</summary>
    public const string OwnError = "x-cube-error";

    /// <summary>The kind of model server behind the agent: <c>ollama</c>, <c>vllm</c> or <c>guide</c>.</summary>
    public const string Backend = "x-cube-backend";
}
