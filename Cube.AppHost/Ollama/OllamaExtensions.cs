using Cube.AppHost.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting;

/// <summary>
/// Ollama as a resource with the API of CommunityToolkit.Aspire.Hosting.Ollama, which the package feed does not contain.
/// </summary>
internal static partial class OllamaExtensions
{
    private const int Port = 11434;

    public static IResourceBuilder<OllamaResource> AddOllama(this IDistributedApplicationBuilder builder, [ResourceName] string name)
    {
        var ollama = new OllamaResource(name);
        return builder.AddResource(ollama)
            .WithImage(OllamaContainerImageTags.Image, OllamaContainerImageTags.Tag)
            .WithImageRegistry(OllamaContainerImageTags.Registry)
            .WithHttpEndpoint(targetPort: Port, name: OllamaResource.EndpointName)
            .WithHttpHealthCheck("/")
            // Disables cloud models and web search, which would send prompts out of the host.
            .WithEnvironment("OLLAMA_NO_CLOUD", "1");
    }

    /// <summary>Keeps models across restarts.</summary>
    public static IResourceBuilder<OllamaResource> WithDataVolume(this IResourceBuilder<OllamaResource> ollama, string name) =>
        ollama.WithVolume(name, "/root/.ollama");

    /// <summary>Adds a model. The AppHost pulls it if the server does not have it.</summary>
    public static IResourceBuilder<OllamaModelResource> AddModel(this IResourceBuilder<OllamaResource> ollama, [ResourceName] string name, string modelName)
    {
        var builder = ollama.ApplicationBuilder;
        var model = new OllamaModelResource(name, modelName, ollama.Resource);
        var key = $"{name}-pulled";
        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(key, _ => new PulledHealthCheck(model), HealthStatus.Unhealthy, null));
        ollama.OnResourceReady((server, ready, ct) =>
        {
            // Not awaited: a pull takes minutes. Resources wait for the model resource, not for this callback.
            _ = PullAsync(model, ready.Services, ct);
            return Task.CompletedTask;
        });
        return builder.AddResource(model)
            .WithInitialState(new CustomResourceSnapshot { ResourceType = "OllamaModel", Properties = [new("model", model.ModelName)], State = KnownResourceStates.Waiting })
            .WithHealthCheck(key)
            .ExcludeFromManifest();
    }

    private static async Task PullAsync(OllamaModelResource model, IServiceProvider services, CancellationToken ct)
    {
        var notifications = services.GetRequiredService<ResourceNotificationService>();
        var logger = services.GetRequiredService<ResourceLoggerService>().GetLogger(model);
        try
        {
            using var ollama = new ModelServerClient(new Uri(await model.Parent.Endpoint.GetValueAsync(ct) ?? ""));
            if (!(await ollama.ModelsAsync(ct)).Contains(model.ModelName))
            {
                await foreach (var progress in ollama.PullAsync(model.ModelName, ct))
                {
                    await notifications.PublishUpdateAsync(model, state => state with { State = new($"Pulling {progress}", KnownResourceStateStyles.Info) });
                }
            }

            await notifications.PublishUpdateAsync(model, static state => state with { State = KnownResourceStates.Running });
        }
        catch (Exception exception) when (exception is HttpRequestException or InvalidOperationException or IOException)
        {
            NotPulled(logger, model.ModelName, exception.Message);
            await notifications.PublishUpdateAsync(model, static state => state with { State = KnownResourceStates.FailedToStart });
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The model {Model} could not be pulled: {Reason}")]
    private static partial void NotPulled(ILogger logger, string model, string reason);

    private sealed class PulledHealthCheck(OllamaModelResource model) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            try
            {
                using var ollama = new ModelServerClient(new Uri(await model.Parent.Endpoint.GetValueAsync(cancellationToken) ?? ""));
                return (await ollama.ModelsAsync(cancellationToken)).Contains(model.ModelName)
                    ? HealthCheckResult.Healthy()
                    : HealthCheckResult.Unhealthy($"{model.ModelName} is not available yet.");
            }
            catch (HttpRequestException exception)
            {
                return HealthCheckResult.Unhealthy(exception.Message);
            }
        }
    }
}
