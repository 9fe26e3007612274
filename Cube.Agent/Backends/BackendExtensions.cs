using System.Diagnostics;
using Cube.Agent.Guide;
using Cube.Inference;
using Cube.Inference.Errors;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Yarp.ReverseProxy.Forwarder;

namespace Cube.Agent.Backends;

internal static class BackendExtensions
{
    public static WebApplicationBuilder AddBackend(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptionsWithValidateOnStart<BackendOptions, BackendOptionsValidator>().BindConfiguration(BackendOptions.Section);
        if (builder.Configuration.GetSection(BackendOptions.Section).Get<BackendOptions>() is { IsGuide: true })
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

    /// <summary>Maps the endpoints of the model server that Cube uses: exact methods and paths, no fallback.</summary>
    public static WebApplication MapBackend(this WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptions<BackendOptions>>().Value;
        if (options is not { IsGuide: false, Protocol: { } protocol, Url: { } url })
        {
            app.MapGuide();
            return app;
        }

        var (forwarder, client) = (app.Services.GetRequiredService<IHttpForwarder>(), app.Services.GetRequiredService<BackendClient>());
        var (transformer, address) = (new BackendTransformer(client, protocol.Name), url.AbsoluteUri);
        var config = new ForwarderRequestConfig { ActivityTimeout = options.ActivityTimeout };
        foreach (var (method, path) in InferenceEndpoints.OfBackend(protocol, options.AllowModelChanges))
        {
            app.MapMethods(path, [method], async context =>
            {
                using var exchange = client.Begin();
                Activity.Current?.SetTag("cube.backend", protocol.Name);
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
