using Cube.Inference.Errors;
using System.Diagnostics;
using Cube.Agent.Guide;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Yarp.ReverseProxy.Forwarder;

namespace Cube.Agent.Backends;

internal static class BackendExtensions
{
    /// <summary>The endpoints that the agent forwards: exact method and path, no fallback.</summary>
    private static readonly (string Method, string Path)[] Endpoints =
    [
        ("GET", "/v1/models"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/completions"),
        ("POST", "/v1/embeddings"),
    ];

    /// <summary>Additional endpoints of vLLM.</summary>
    private static readonly (string Method, string Path)[] VllmEndpoints =
    [
        ("POST", "/tokenize"),
        ("POST", "/detokenize"),
        ("POST", "/pooling"),
        ("POST", "/classify"),
        ("POST", "/score"),
        ("POST", "/v1/score"),
        ("POST", "/rerank"),
        ("POST", "/v1/rerank"),
        ("POST", "/v1/audio/transcriptions"),
        ("POST", "/v1/audio/translations"),
    ];

    /// <summary>Additional endpoints of Ollama. Endpoints that send data out of the machine are not included.</summary>
    private static readonly (string Method, string Path)[] OllamaEndpoints =
    [
        ("POST", "/api/chat"),
        ("POST", "/api/generate"),
        ("POST", "/api/embed"),
        ("POST", "/api/embeddings"),
        ("POST", "/api/show"),
        ("GET", "/api/ps"),
        ("GET", "/api/tags"),
        ("GET", "/api/version"),
    ];

    /// <summary>Endpoints that change Ollama's models, mapped only if <see cref="BackendOptions.AllowModelChanges"/> is set.</summary>
    private static readonly (string Method, string Path)[] OllamaModelManagementEndpoints =
    [
        ("POST", "/api/pull"),
        ("POST", "/api/create"),
        ("POST", "/api/copy"),
        ("DELETE", "/api/delete"),
    ];

    public static WebApplicationBuilder AddBackend(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<IValidateOptions<BackendOptions>, BackendOptionsValidator>().AddSingleton<IValidateOptions<BackendOptions>, BackendOptionsCustomValidator>();
        builder.Services.AddOptions<BackendOptions>().BindConfiguration(BackendOptions.Section).ValidateOnStart();
        if (builder.Configuration.GetSection(BackendOptions.Section).Get<BackendOptions>() is { ParsedKind: BackendKind.Guide })
        {
            builder.AddGuide();
        }
        else
        {
            builder.Services.AddHttpForwarder().AddSingleton<BackendClient>();
            builder.Services.AddHealthChecks().AddCheck<BackendHealthCheck>("backend");
        }

        return builder;
    }

    public static WebApplication MapBackend(this WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptions<BackendOptions>>().Value;
        if (options.ParsedKind == BackendKind.Guide)
        {
            app.MapGuide();
            return app;
        }

        var (forwarder, client) = (app.Services.GetRequiredService<IHttpForwarder>(), app.Services.GetRequiredService<BackendClient>());
        var kind = options.Kind.ToLowerInvariant();
        var (transformer, address) = (new BackendTransformer(client, kind), options.Url!.AbsoluteUri);
        var config = new ForwarderRequestConfig { ActivityTimeout = options.ActivityTimeout };
        foreach (var (method, path) in ((string, string)[])[.. Endpoints, .. options.ParsedKind == BackendKind.Vllm ? VllmEndpoints : OllamaEndpoints, .. options.AllowModelChanges ? OllamaModelManagementEndpoints : []])
        {
            app.MapMethods(path, [method], async context =>
            {
                using var exchange = client.Begin();
                Activity.Current?.SetTag("cube.backend", kind);
                context.Features.Set<IHttpResetFeature>(SuppressedResetFeature.Instance);
                var error = await forwarder.SendAsync(context, address, client.Invoker, config, transformer, context.RequestAborted);
                if (error != ForwarderError.None && !context.Response.HasStarted && !context.RequestAborted.IsCancellationRequested)
                {
                    await context.WriteAgentErrorAsync(Explain(error));
                }
            });
        }

        return app;
    }

    private static OpenAiError Explain(ForwarderError error) => error switch
    {
        ForwarderError.RequestTimedOut => OpenAiError.UpstreamTimeout,
        ForwarderError.RequestBodyClient => OpenAiError.BadHttp,
        _ => OpenAiError.UpstreamError,
    };
}
