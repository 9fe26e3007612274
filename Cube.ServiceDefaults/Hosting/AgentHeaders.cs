namespace Cube.ServiceDefaults.Hosting;

/// <summary>The names of headers between proxy and agent.</summary>
public static class AgentHeaders
{
    /// <summary>Marks an error that the agent created, which the proxy may forward. The agent removes this header from backend responses.</summary>
    public const string OwnError = "x-cube-error";

    /// <summary>The kind of model server behind the agent: <c>ollama</c>, <c>vllm</c> or <c>guide</c>.</summary>
    public const string Backend = "x-cube-backend";
}
