using System.Net;
using Cube.Attestation.Atls;
using Cube.Proxy.Attestation.Backends;
using Cube.Proxy.Edge;
using Cube.Proxy.Forwarding;
using Cube.Proxy.Management;
using Cube.Proxy.Routing;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Attestation.Api;

/// <summary>The attestation paths below a tenant. Whoever comes here is a member whose role allows it.</summary>
internal sealed class DomainAttestation(PolicyDesk desk, AttestedBackends backends)
{
    private const int MostBody = 4096;
    private const int MostAnswer = 512 * 1024;

    public async Task AnswerAsync(HttpContext context)
    {
        var request = DomainRequest.Of(context);
        if (request.Endpoint == InferenceEndpoints.Attestation)
        {
            await EvidenceAsync(context, request.Route!, request.DomainId);
            return;
        }

        var (scope, by, ct) = (request.DomainId.ToString(), request.Caller!.UserId.ToString(), context.RequestAborted);
        var answer = request.Endpoint!.Name switch
        {
            "attestation.verify" => await desk.VerifyAsync(scope, isAdministrator: false, ct),
            "attestation.policy.get" => await desk.FindAsync(scope, null, ct),
            "attestation.policy.versions" => await desk.ListAsync(scope, ct),
            "attestation.policy.stage" => await desk.StageAsync(scope, context.Request, by),
            "attestation.policy.activate" => await desk.ActivateAsync(scope, context.Request, by),
            "attestation.policy.delete" => await desk.DeactivateAsync(scope, ct),
            _ => await desk.TryAsync(scope, context.Request, isAdministrator: false),
        };
        await answer.WriteAsEnvelopeAsync(context);
    }

    /// <summary>Evidence for the caller's own eyes, from the machine that would serve him.</summary>
    private async Task EvidenceAsync(HttpContext context, Route route, Guid domain)
    {
        var asked = new byte[MostBody + 1];
        var length = await context.Request.Body.ReadAtLeastAsync(asked, asked.Length, throwOnEndOfStream: false, context.RequestAborted);
        if (length > MostBody)
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
            context.Describe(exception);
            await AttestationErrors.Explain(exception).WriteAsync(context);
            return;
        }
        catch (HttpRequestException)
        {
            await OpenAiError.UpstreamError.WriteAsync(context);
            return;
        }

        context.Describe(channel.Verdict);
        using var request = channel.Post(route.PathOf("/attestation"), asked.AsMemory(0, length));
        try
        {
            using var response = await channel.Invoker.SendAsync(request, context.RequestAborted);
            await response.Content.LoadIntoBufferAsync(MostAnswer, context.RequestAborted);
            context.Response.StatusCode = (int)response.StatusCode;
            if (response.Headers.RetryAfter is { } retry)
            {
                context.Response.Headers.RetryAfter = retry.ToString();
            }

            context.Response.ContentType = response.Content.Headers.ContentType?.ToString();
            await response.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
        }
        catch (HttpRequestException)
        {
            await OpenAiError.UpstreamError.WriteAsync(context);
        }
    }
}
