using System.Net;
using Cube.Attestation.Atls;
using Cube.Inference;
using Cube.Inference.Errors;
using Cube.Proxy.Attestation;
using Cube.Proxy.Attestation.Connections;
using Cube.Proxy.Authorization;
using Cube.Proxy.Edge;
using Cube.Proxy.Inference;
using Cube.Proxy.OpenApi;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.Features;

namespace Cube.Proxy.Management;

/// <summary>Fetches Evidence of the machines that serve a domain, for its members.</summary>
internal sealed class DomainAttestationApi(BackendConnectionProvider backends)
{
    private const int MaxBody = 4096;
    private const int MaxResponse = 512 * 1024;

    /// <summary>Forwards a request for Evidence to the machine that would serve the caller. The Evidence covers a hash of the request, so that the caller can supply a nonce.</summary>
    public async Task WriteEvidenceAsync(HttpContext context)
    {
        var route = context.Features.GetRequiredFeature<Route>();
        var domain = context.Features.GetRequiredFeature<DomainMember>().DomainId;
        var body = new byte[MaxBody + 1];
        var length = await context.Request.Body.ReadAtLeastAsync(body, body.Length, throwOnEndOfStream: false, context.RequestAborted);
        if (length > MaxBody)
        {
            await OpenAiError.InvalidAttestationRequest.WriteAsync(context);
            return;
        }

        AttestedChannel channel;
        try
        {
            channel = await backends.GetAsync(route, domain, context.RequestAborted);
        }
        catch (AttestationException exception)
        {
            context.SetAttestationResult(exception);
            await AttestationErrorTranslator.Translate(exception).WriteAsync(context);
            return;
        }
        catch (HttpRequestException)
        {
            await OpenAiError.UpstreamError.WriteAsync(context);
            return;
        }

        context.SetAttestationResult(channel.Verdict);
        try
        {
            using var response = await channel.PostAsync(route.PathOf("/attestation"), body.AsMemory(0, length), context.RequestAborted);
            using var content = await response.ReadToEndAsync(MaxResponse);
            context.Response.StatusCode = response.Status;
            if (response.Find("retry-after") is { } retry)
            {
                context.Response.Headers.RetryAfter = retry;
            }

            context.Response.ContentType = response.ContentType;
            await content.CopyToAsync(context.Response.Body, context.RequestAborted);
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException)
        {
            await OpenAiError.UpstreamError.WriteAsync(context);
        }
    }
}

internal static class DomainAttestationEndpoints
{
    public static void MapDomainAttestation(this WebApplication app)
    {
        var evidence = InferenceExtensions.Pipeline(app, null, app.Services.GetRequiredService<DomainAttestationApi>().WriteEvidenceAsync);
        app.MapDomain("POST", new DomainEndpointMetadata("attestation", "/attestation", BodyKind.Json), evidence, static endpoint => endpoint
            .RequireDomainAction(Requirement("llm_read"))
            .Describe(
                new("domain.attestation", "Returns Evidence of the machine that would serve the caller, as JSON or in the binary format of the hardware. REPORT_DATA is a labelled hash of the request.") { Body = typeof(object) },
                response: typeof(object)));
        app.MapDomain(
            "GET", new DomainEndpointMetadata("attestation.verify", "/attestation/verify", BodyKind.None),
            static (HttpContext context, PolicyService policies) => policies.VerifyAsync(ScopeOf(context), showAddresses: false, context.RequestAborted),
            static endpoint => endpoint.RequireDomainAction(Requirement("llm_read")).Describe(
                new("domain.attestation.verify", "Returns the verdict on each machine of the domain, with the result of each policy."), response: typeof(PolicyService.BackendList)));

        foreach (var policy in (PolicyEndpoints.PolicyEndpoint[])[PolicyEndpoints.Get, PolicyEndpoints.Versions, PolicyEndpoints.DryRun(showAddresses: false)])
        {
            app.MapPolicy(policy, "attestation_policy_read");
        }

        foreach (var policy in (PolicyEndpoints.PolicyEndpoint[])[PolicyEndpoints.Stage, PolicyEndpoints.Activate, PolicyEndpoints.Delete])
        {
            app.MapPolicy(policy, "attestation_policy_update");
        }
    }

    private static void MapPolicy(this WebApplication app, PolicyEndpoints.PolicyEndpoint policy, string action) => app.MapDomain(
        policy.Method,
        new DomainEndpointMetadata($"attestation.{policy.Id}", policy.Path, policy.Body is null ? BodyKind.None : BodyKind.Json),
        (HttpContext context, PolicyService policies) => policy.Handler(policies, ScopeOf(context), context.Request, context.Features.GetRequiredFeature<DomainMember>().Caller.UserId.ToString()),
        endpoint => endpoint.RequireDomainAction(Requirement(action)).Describe(new($"domain.attestation.{policy.Id}", policy.Text) { Body = policy.Body }, policy.Status, policy.Response));

    private static string ScopeOf(HttpContext context) => context.Features.GetRequiredFeature<DomainMember>().DomainId.ToString();

    private static DomainActionRequirement Requirement(string action) => new(action) { NeedsWholeDomain = true };
}
